;; The presence_list import for ever, with its own topic.
(import "aviary" "presence_list" (func $presence_list (param i32 i32 i32 i32) (result i32)))
(func $attack (param $req i32) (param $len i32) (result i64)
  (loop $again
    (drop (call $presence_list
      (i32.add (local.get $req) (i32.load offset=48 (local.get $req))) (i32.load offset=52 (local.get $req))
      (i32.const 131072) (i32.const 65536)))
    (br $again))
  (unreachable))
