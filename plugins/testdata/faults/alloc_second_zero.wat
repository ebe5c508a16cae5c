;; The second aviary_alloc, for a long request, returns 0.
(module
  (memory (export "memory") 3)
  ;; An accepted join: header_size 64, result 1 (reply), all else 0.
  (data (i32.const 16) "\40\00\01")
  (func (export "aviary_abi_v1") (result i64) (i64.const 0))
  (func $alloc (export "aviary_alloc") (param $size i32) (result i32)
    (if (result i32) (i32.eq (local.get $size) (i32.const 65536))
      (then (i32.const 65536))
      (else (i32.const 0))))
  (func $join (export "join") (param $req i32) (param $len i32) (result i64)
    (i64.const 0x0000001000000040)) ;; 64 bytes at 16
  (export "handle_in" (func $join)))
