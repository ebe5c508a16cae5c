;; handle_in fills its whole memory, grown as far as it goes, for ever.
(module
  (memory (export "memory") 3)
  ;; An accepted join: header_size 64, result 1 (reply), all else 0.
  (data (i32.const 16) "\40\00\01")
  (func (export "aviary_abi_v1") (result i64) (i64.const 0))
  (func (export "aviary_alloc") (param $size i32) (result i32) (i32.const 65536))
  (func (export "join") (param $req i32) (param $len i32) (result i64)
    (i64.const 0x0000001000000040)) ;; 64 bytes at 16
  (func $handle_in (export "handle_in") (param $req i32) (param $len i32) (result i64)
    (drop (memory.grow (i32.const 253))) ;; to 16 MiB
    (loop $again
      (memory.fill (i32.const 0) (i32.const 7) (i32.shl (memory.size) (i32.const 16)))
      (br $again))
    (i64.const 0x0000001000000040)))
