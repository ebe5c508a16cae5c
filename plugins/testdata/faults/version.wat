;; A guest of which there can be many versions: the digit behind "v" is its number, and the digits
;; behind "build" tell builds of one version apart. It counts events in the state and answers each
;; with its version and the count, as "v1:0000002a". The form of the state depends on the version:
;; odd ones keep four bytes, even ones eight, the count and its complement, and code_change makes the
;; one of the other. It refuses channels whose topic ends in "!". An event whose payload is as long
;; as "trap" traps.
(module
  (memory (export "memory") 2)
  ;; The response is at 1024: 64 bytes of header, the payload at 64, the state at 80.
  (data (i32.const 1088) "\"v1:00000000\"")
  (data (i32.const 2048) "build 00000000")

  (func (export "aviary_abi_v1") (result i64) (i64.const 0))
  (func (export "aviary_alloc") (param $size i32) (result i32)
    (select (i32.const 65536) (i32.const 0) (i32.le_u (local.get $size) (i32.const 65536))))

  (func $version (result i32) (i32.sub (i32.load8_u (i32.const 1090)) (i32.const 48)))
  (func $even (result i32) (i32.eqz (i32.and (call $version) (i32.const 1))))

  ;; The count in a state of either form; 0 where there is none.
  (func $count (param $req i32) (result i32)
    (local $len i32) (local $at i32)
    (local.set $len (i32.load offset=92 (local.get $req)))
    (local.set $at (i32.add (local.get $req) (i32.load offset=88 (local.get $req))))
    (if (i32.eqz (local.get $len)) (then (return (i32.const 0))))
    (if (i32.eq (local.get $len) (i32.const 8))
      (then (if (i32.ne (i32.xor (i32.load offset=4 (local.get $at)) (i32.const -1)) (i32.load (local.get $at)))
        (then (unreachable))))
      (else (if (i32.ne (local.get $len) (i32.const 4)) (then (unreachable)))))
    (i32.load (local.get $at)))

  ;; In a callback of its own form only: the state has to be of this version's length.
  (func $own (param $req i32) (result i32)
    (if (i32.ne (i32.load offset=92 (local.get $req)) (select (i32.const 8) (i32.const 4) (call $even)))
      (then (unreachable)))
    (call $count (local.get $req)))

  (func $answer (param $result i32) (param $count i32) (param $payload i32) (result i64)
    (i32.store16 (i32.const 1024) (i32.const 64))
    (i32.store8 (i32.const 1026) (local.get $result))
    (i32.store8 (i32.const 1027) (i32.const 2)) ;; state given
    (i32.store (i32.const 1028) (call $version))
    (i32.store (i32.const 1048) (i32.const 64))
    (i32.store (i32.const 1052) (local.get $payload))
    (i32.store (i32.const 1064) (i32.const 80))
    (i32.store (i32.const 1068) (select (i32.const 8) (i32.const 4) (call $even)))
    (i32.store (i32.const 1104) (local.get $count))
    (i32.store (i32.const 1108) (i32.xor (local.get $count) (i32.const -1)))
    (i64.const 0x0000040000000058)) ;; 88 bytes at 1024

  (func (export "join") (param $req i32) (param $len i32) (result i64)
    (call $answer (i32.const 1) (i32.const 0) (i32.const 0)))

  (func (export "handle_in") (param $req i32) (param $len i32) (result i64)
    (local $count i32) (local $rest i32) (local $at i32) (local $digit i32)
    (if (i32.eq (i32.load offset=84 (local.get $req)) (i32.const 6)) (then (unreachable)))
    (local.set $count (i32.add (call $own (local.get $req)) (i32.const 1)))
    (local.set $rest (local.get $count))
    (local.set $at (i32.const 1100))
    (loop $digits
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (local.set $digit (i32.and (local.get $rest) (i32.const 15)))
      (i32.store8 (local.get $at)
        (i32.add (local.get $digit) (select (i32.const 48) (i32.const 87) (i32.lt_u (local.get $digit) (i32.const 10)))))
      (local.set $rest (i32.shr_u (local.get $rest) (i32.const 4)))
      (br_if $digits (i32.gt_u (local.get $at) (i32.const 1092))))
    (call $answer (i32.const 1) (local.get $count) (i32.const 13)))

  (func (export "code_change") (param $req i32) (param $len i32) (result i64)
    (local $end i32)
    (local.set $end (i32.add (i32.load offset=48 (local.get $req)) (i32.load offset=52 (local.get $req))))
    (call $answer
      (select (i32.const 2) (i32.const 0)
        (i32.eq (i32.load8_u (i32.sub (i32.add (local.get $req) (local.get $end)) (i32.const 1))) (i32.const 33)))
      (call $count (local.get $req)) (i32.const 0))))
