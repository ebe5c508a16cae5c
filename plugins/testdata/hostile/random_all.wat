;; random_get of 16 MiB at once.
(import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
(func $attack (param $req i32) (param $len i32) (result i64)
  (drop (memory.grow (i32.const 253))) ;; 16 MiB in all

  (loop $again
    (drop (call $random_get (i32.const 0) (i32.const 16777216)))
    (br $again))
  (unreachable))
