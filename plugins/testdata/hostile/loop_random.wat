;; random_get of all that it has, for ever.
(import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
(func $attack (param $req i32) (param $len i32) (result i64)
  (loop $again
    (drop (call $random_get (i32.const 131072) (i32.const 65536)))
    (br $again))
  (unreachable))
