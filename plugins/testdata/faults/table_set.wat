;; A guest whose instances cannot be put back: handle_in writes to its table. join answers 1 if the table was
;; written to, else 0.
(module
  (memory (export "memory") 3)
  (table $t 1 funcref)
  ;; Response at 16: header_size 64, result 1 (reply), payload one byte at 64.
  (data (i32.const 16) "\40\00\01")
  (data (i32.const 40) "\40\00\00\00\01\00\00\00")
  (func (export "aviary_abi_v1") (result i64) (i64.const 0))
  (func (export "aviary_alloc") (param $size i32) (result i32) (i32.const 65536))
  (func $join (export "join") (param $req i32) (param $len i32) (result i64)
    (i32.store8 (i32.const 80) (i32.sub (i32.const 49) (ref.is_null (table.get $t (i32.const 0)))))
    (i64.const 0x0000001000000041)) ;; 65 bytes at 16
  (func (export "handle_in") (param $req i32) (param $len i32) (result i64)
    (table.set $t (i32.const 0) (ref.func $join))
    (call $join (local.get $req) (local.get $len))))
