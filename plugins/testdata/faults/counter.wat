;; A guest that breaks the rule of keeping nothing: it counts its callbacks in a global, and join
;; answers with the count. So a test can tell a fresh instance from one that has run. handle_in
;; counts and traps when the payload begins with "!"; else it answers as join does.
(module
  (memory (export "memory") 3)
  ;; Response at 16: header_size 64, result 1 (reply), payload one byte at 64.
  (data (i32.const 16) "\40\00\01")
  (data (i32.const 40) "\40\00\00\00\01\00\00\00")
  (global $calls (mut i32) (i32.const 0))
  (func (export "aviary_abi_v1") (result i64) (i64.const 0))
  (func (export "aviary_alloc") (param $size i32) (result i32) (i32.const 65536))
  (func $count (export "join") (param $req i32) (param $len i32) (result i64)
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    ;; The last digit of the count is the payload, a JSON number.
    (i32.store8 (i32.const 80) (i32.add (i32.const 48) (i32.rem_u (global.get $calls) (i32.const 10))))
    (i64.const 0x0000001000000041)) ;; 65 bytes at 16
  (func (export "handle_in") (param $req i32) (param $len i32) (result i64)
    (local $answer i64)
    (local.set $answer (call $count (local.get $req) (local.get $len)))
    ;; The payload is named by the pair at 80 of the request.
    (if (i32.eq (i32.const 33) (i32.load8_u (i32.add (local.get $req) (i32.load offset=80 (local.get $req)))))
      (then (unreachable)))
    (local.get $answer)))
