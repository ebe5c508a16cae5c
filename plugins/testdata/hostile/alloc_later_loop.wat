;; aviary_alloc never returns when a longer request comes.
(module
  (memory (export "memory") 3)
  (func (export "aviary_abi_v1") (result i64) (i64.const 0))
  (func $alloc (export "aviary_alloc") (param $size i32) (result i32)
    (if (i32.gt_u (local.get $size) (i32.const 65536))
      (then (loop $again (br $again))))
    (i32.const 65536))
  (func $echo (param $req i32) (param $len i32) (result i64)
    (i64.store offset=24 (local.get $req) (i64.load offset=80 (local.get $req))) ;; payload
    (i64.store offset=0 (local.get $req) (i64.const 0x10040)) ;; header_size 64, result 1: reply
    (i64.store offset=8 (local.get $req) (i64.const 0))
    (i64.store offset=16 (local.get $req) (i64.const 0)) ;; no effects
    (i64.store offset=32 (local.get $req) (i64.const 0))
    (i64.store offset=40 (local.get $req) (i64.const 0))
    (i64.store offset=48 (local.get $req) (i64.const 0))
    (i64.store offset=56 (local.get $req) (i64.const 0))
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $req)) (i64.const 32))
      (i64.extend_i32_u (local.get $len))))

  (export "join" (func $echo))
  (export "handle_in" (func $echo)))
