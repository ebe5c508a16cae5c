;; The presence_list import for ever, with a topic of 15 MiB.
(import "aviary" "presence_list" (func $presence_list (param i32 i32 i32 i32) (result i32)))
(func $attack (param $req i32) (param $len i32) (result i64)
  (drop (memory.grow (i32.const 253))) ;; 16 MiB in all

  (loop $again
    (drop (call $presence_list (i32.const 131072) (i32.const 15728640) (i32.const 0) (i32.const 0)))
    (br $again))
  (unreachable))
