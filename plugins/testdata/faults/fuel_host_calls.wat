;; handle_in asks for random bytes, a page of them at a time, for ever.
(module
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (memory (export "memory") 3)
  ;; An accepted join: header_size 64, result 1 (reply), all else 0.
  (data (i32.const 16) "\40\00\01")
  (func (export "aviary_abi_v1") (result i64) (i64.const 0))
  (func (export "aviary_alloc") (param $size i32) (result i32) (i32.const 65536))
  (func (export "join") (param $req i32) (param $len i32) (result i64)
    (i64.const 0x0000001000000040)) ;; 64 bytes at 16
  (func $handle_in (export "handle_in") (param $req i32) (param $len i32) (result i64)
    (loop $again
      (drop (call $random (i32.const 131072) (i32.const 65536)))
      (br $again))
    (i64.const 0x0000001000000040)))
