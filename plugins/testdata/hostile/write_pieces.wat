;; fd_write of 1024 pieces of nothing, for ever.
(import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
(func $attack (param $req i32) (param $len i32) (result i64)
  (loop $again
    (drop (call $fd_write (i32.const 1) (i32.const 131072) (i32.const 1024) (i32.const 8)))
    (br $again))
  (unreachable))
