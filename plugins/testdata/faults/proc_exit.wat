;; handle_in leaves by proc_exit(3), after a word on standard error.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 3)
  ;; An accepted join: header_size 64, result 1 (reply), all else 0.
  (data (i32.const 16) "\40\00\01")
  (data (i32.const 256) "giving up")
  (data (i32.const 300) "\00\01\00\00\09\00\00\00") ;; iovec: 9 bytes at 256
  (func (export "aviary_abi_v1") (result i64) (i64.const 0))
  (func (export "aviary_alloc") (param $size i32) (result i32) (i32.const 65536))
  (func (export "join") (param $req i32) (param $len i32) (result i64)
    (i64.const 0x0000001000000040)) ;; 64 bytes at 16
  (func $handle_in (export "handle_in") (param $req i32) (param $len i32) (result i64)
    (drop (call $fd_write (i32.const 2) (i32.const 300) (i32.const 1) (i32.const 296)))
    (call $proc_exit (i32.const 3))
    (i64.const 0)))
