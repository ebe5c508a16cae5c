;; What every guest of this folder has besides its attack: join and handle_in answer with their
;; payload, but handle_in answers an event that begins with "a", for attack, with $attack. The
;; response is written over the request (abi/SPEC.md 3), so nothing in the rest of the memory is
;; needed to be good again.
(memory (export "memory") 3)

(func (export "aviary_abi_v1") (result i64) (i64.const 0))

;; The request buffer is the second page; the third is free for attacks.
(func (export "aviary_alloc") (param $size i32) (result i32)
  (if (i32.gt_u (local.get $size) (i32.const 65536))
    (then (return (i32.const 0))))
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

(func $handle_in (export "handle_in") (param $req i32) (param $len i32) (result i64)
  (if (i32.eq
        (i32.load8_u (i32.add (local.get $req) (i32.load offset=56 (local.get $req))))
        (i32.const 0x61))
    (then (return (call $attack (local.get $req) (local.get $len)))))
  (call $echo (local.get $req) (local.get $len)))
