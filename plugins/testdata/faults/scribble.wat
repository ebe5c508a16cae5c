;; A guest that leaves its mark wherever it can. join looks for marks, and answers 0 if all memory and
;; globals are as its initialisation left them, else how many of them are not, 9 at most. handle_in grows the memory
;; as far as it goes, writes to every byte of it and to every global, and then, if the payload begins with
;; "!", traps; else it answers as an accepted join does.
(module
  (memory (export "memory") 3)
  (data (i32.const 1000) "first")
  (data (i32.const 150000) "last")
  (global $i32 (mut i32) (i32.const 7))
  (global $i64 (mut i64) (i64.const -7))
  (global $f32 (mut f32) (f32.const 0.5))
  (global $f64 (mut f64) (f64.const -0.5))
  (global $made (mut i32) (i32.const 0)) ;; by _initialize
  (func (export "aviary_abi_v1") (result i64) (i64.const 0))
  (func (export "aviary_alloc") (param $size i32) (result i32) (i32.const 65536))
  (func (export "_initialize")
    (global.set $made (i32.const 42))
    (i32.store (i32.const 2000) (i32.const 99)))

  ;; Adds one to the count in $n if the two are not equal.
  (func $differ (param $n i32) (param $a i64) (param $b i64) (result i32)
    (i32.add (local.get $n) (i64.ne (local.get $a) (local.get $b))))

  ;; The sum of all bytes of the memory, but for the response at 16 and the request at 65536.
  (func $sum (result i64)
    (local $at i32) (local $sum i64)
    (local.set $at (i32.const 128))
    (loop $next
      (if (i32.eq (local.get $at) (i32.const 65536)) (then (local.set $at (i32.const 131072))))
      (local.set $sum (i64.add (local.get $sum) (i64.load8_u (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $at) (i32.shl (memory.size) (i32.const 16)))))
    (local.get $sum))

  ;; A response whose payload is one digit: header_size 64, result 1 (reply), payload one byte at 64.
  (func $answer (param $digit i32) (result i64)
    (i64.store (i32.const 16) (i64.const 0x010040))
    (i64.store (i32.const 24) (i64.const 0))
    (i64.store (i32.const 32) (i64.const 0))
    (i64.store (i32.const 40) (i64.const 0x100000040))
    (memory.fill (i32.const 48) (i32.const 0) (i32.const 32))
    (i32.store8 (i32.const 80) (i32.add (i32.const 48) (local.get $digit)))
    (i64.const 0x0000001000000041)) ;; 65 bytes at 16

  (func (export "join") (param $req i32) (param $len i32) (result i64)
    (local $n i32)
    (local.set $n (call $differ (local.get $n) (i64.extend_i32_u (memory.size)) (i64.const 3)))
    (local.set $n (call $differ (local.get $n) (i64.extend_i32_u (global.get $i32)) (i64.const 7)))
    (local.set $n (call $differ (local.get $n) (global.get $i64) (i64.const -7)))
    (local.set $n (call $differ (local.get $n) (i64.extend_i32_u (i32.reinterpret_f32 (global.get $f32))) (i64.const 0x3f000000)))
    (local.set $n (call $differ (local.get $n) (i64.reinterpret_f64 (global.get $f64)) (i64.const 0xbfe0000000000000)))
    (local.set $n (call $differ (local.get $n) (i64.extend_i32_u (global.get $made)) (i64.const 42)))
    (local.set $n (call $differ (local.get $n) (call $sum) (i64.const 1087))) ;; "first", "last" and 99
    (call $answer (local.get $n)))

  (func (export "handle_in") (param $req i32) (param $len i32) (result i64)
    (local $trap i32)
    ;; The payload is named by the pair at 80 of the request.
    (local.set $trap (i32.eq (i32.const 33) (i32.load8_u (i32.add (local.get $req) (i32.load offset=80 (local.get $req))))))
    (loop $again
      (br_if $again (i32.ne (i32.const -1) (memory.grow (i32.const 1)))))
    (memory.fill (i32.const 0) (i32.const 0xaa) (i32.shl (memory.size) (i32.const 16)))
    (global.set $i32 (i32.const 1))
    (global.set $i64 (i64.const 1))
    (global.set $f32 (f32.const nan))
    (global.set $f64 (f64.const inf))
    (global.set $made (i32.const 0))
    (if (local.get $trap) (then (unreachable)))
    (call $answer (i32.const 0))))
