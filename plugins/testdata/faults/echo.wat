;; A good guest, written from abi/SPEC.md alone: join and handle_in reply with their payload and
;; count themselves in the state. The response is written over the request: the payload then needs
;; no copy, since offsets count from the same byte in both. A long request gets a buffer of its own
;; at the end of the memory.
(module
  (memory (export "memory") 2)

  (func (export "aviary_abi_v1") (result i64) (i64.const 0))

  ;; The first buffer is the second page. A longer one takes fresh pages behind all others.
  (func (export "aviary_alloc") (param $size i32) (result i32)
    (local $page i32)
    (if (i32.le_u (local.get $size) (i32.const 65536))
      (then (return (i32.const 65536))))
    (local.set $page
      (memory.grow (i32.shr_u (i32.add (local.get $size) (i32.const 65535)) (i32.const 16))))
    (if (i32.eq (local.get $page) (i32.const -1))
      (then (return (i32.const 0))))
    (i32.shl (local.get $page) (i32.const 16)))

  (func $echo (param $req i32) (param $len i32) (result i64)
    (local $count i32) (local $payload i64)
    ;; The state is the count, four bytes; there is none before the first callback.
    (if (i32.eq (i32.load offset=92 (local.get $req)) (i32.const 4))
      (then (local.set $count
        (i32.load (i32.add (local.get $req) (i32.load offset=88 (local.get $req)))))))
    (local.set $payload (i64.load offset=80 (local.get $req)))
    ;; Response header: 64 bytes over the first of the 136 of the request's.
    (i32.store16 offset=0 (local.get $req) (i32.const 64))          ;; header_size
    (i32.store8 offset=2 (local.get $req) (i32.const 1))            ;; result: reply
    (i32.store8 offset=3 (local.get $req)                           ;; flags: as the request's payload, state given
      (i32.or (i32.const 2) (i32.and (i32.const 1) (i32.load8_u offset=3 (local.get $req)))))
    (i32.store offset=4 (local.get $req) (i32.const 1))             ;; state_version
    (i64.store offset=8 (local.get $req) (i64.const 0))             ;; number, effect_size
    (i64.store offset=16 (local.get $req) (i64.const 0))            ;; no effects
    (i64.store offset=24 (local.get $req) (local.get $payload))     ;; payload
    (i64.store offset=32 (local.get $req) (i64.const 0))            ;; event
    (i64.store offset=40 (local.get $req) (i64.const 0x0000000400000040)) ;; state: 4 bytes at 64
    (i64.store offset=48 (local.get $req) (i64.const 0))            ;; id_topic
    (i64.store offset=56 (local.get $req) (i64.const 0))            ;; text
    (i32.store offset=64 (local.get $req) (i32.add (local.get $count) (i32.const 1)))
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $req)) (i64.const 32))
      (i64.extend_i32_u (local.get $len))))

  (export "join" (func $echo))
  (export "handle_in" (func $echo)))
