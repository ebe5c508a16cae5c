;; handle_in answers with a response of 35 KiB that is over the 256 KiB of output: 64 effects name
;; the same 32 KiB as their payload.
(module
  (memory (export "memory") 3)
  ;; An accepted join: header_size 64, result 1 (reply), all else 0.
  (data (i32.const 16) "\40\00\01")
  ;; Response at 1024: header, 64 records of 48 bytes from 1088 to 4160, 32 KiB of bytes.
  (data (i32.const 1024) "\40\00\00\00") ;; header_size 64, no_reply
  (data (i32.const 1036) "\30\00")         ;; effect_size 48
  (data (i32.const 1040) "\40\00\00\00\40\00\00\00") ;; 64 effects at 64
  (func (export "aviary_abi_v1") (result i64) (i64.const 0))
  (func (export "aviary_alloc") (param $size i32) (result i32) (i32.const 65536))
  (func (export "join") (param $req i32) (param $len i32) (result i64)
    (i64.const 0x0000001000000040)) ;; 64 bytes at 16
  (func $handle_in (export "handle_in") (param $req i32) (param $len i32) (result i64)
    (local $effect i32)
    (local.set $effect (i32.const 1088))
    (loop $next
      (i32.store16 (local.get $effect) (i32.const 2))                    ;; kind: push
      (i64.store offset=24 (local.get $effect) (i64.const 0x0000000100000c40)) ;; event: 1 byte at 3136
      (i64.store offset=32 (local.get $effect) (i64.const 0x0000800000000c40)) ;; payload: 32768 bytes at 3136
      (local.set $effect (i32.add (local.get $effect) (i32.const 48)))
      (br_if $next (i32.lt_u (local.get $effect) (i32.const 4160))))
    (i64.const 0x0000040000008c40)))
