;; A guest that calls host functions as it is told by the payload of handle_in: byte 0 is the
;; function (0 log, 1 config, 2 presence_list, 3 fd_write), byte 1 tells to trap afterwards, the
;; u16 at 2 how often to call, and four i32 at 4 are the parameters. Addresses in them are
;; absolute: a request with nothing but a payload has it at 65536 + 136. The reply is the last
;; result, four bytes, and the 64 bytes at 131072, which is where results may go.
(module
  (import "aviary" "log" (func $log (param i32 i32 i32)))
  (import "aviary" "config" (func $config (param i32 i32 i32 i32) (result i32)))
  (import "aviary" "presence_list" (func $presence_list (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 3)
  (data (i32.const 16) "\40\00\01")
  ;; Response at 131004: the header, 4 bytes of result at 131068, the output at 131072.
  (data (i32.const 131004) "\40\00\01\01")             ;; header_size 64, reply, raw bytes
  (data (i32.const 131028) "\40\00\00\00\44\00\00\00") ;; payload: 68 bytes at 64
  (func (export "aviary_abi_v1") (result i64) (i64.const 0))
  (func (export "aviary_alloc") (param $size i32) (result i32) (i32.const 65536))
  (func (export "join") (param $req i32) (param $len i32) (result i64)
    (i64.const 0x0000001000000040)) ;; 64 bytes at 16

  (func $call (param $fn i32) (param $a i32) (param $b i32) (param $c i32) (param $d i32) (result i32)
    (if (i32.eqz (local.get $fn))
      (then
        (call $log (local.get $a) (local.get $b) (local.get $c))
        (return (i32.const 0))))
    (if (i32.eq (local.get $fn) (i32.const 1))
      (then (return (call $config (local.get $a) (local.get $b) (local.get $c) (local.get $d)))))
    (if (i32.eq (local.get $fn) (i32.const 2))
      (then (return (call $presence_list (local.get $a) (local.get $b) (local.get $c) (local.get $d)))))
    (call $fd_write (local.get $a) (local.get $b) (local.get $c) (local.get $d)))

  (func $handle_in (export "handle_in") (param $req i32) (param $len i32) (result i64)
    (local $p i32) (local $left i32)
    (local.set $p (i32.add (local.get $req) (i32.load offset=80 (local.get $req))))
    (local.set $left (i32.load16_u offset=2 (local.get $p)))
    (loop $again
      (i32.store (i32.const 131068)
        (call $call
          (i32.load8_u (local.get $p))
          (i32.load offset=4 (local.get $p)) (i32.load offset=8 (local.get $p))
          (i32.load offset=12 (local.get $p)) (i32.load offset=16 (local.get $p))))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $again (i32.gt_s (local.get $left) (i32.const 0))))
    (if (i32.load8_u offset=1 (local.get $p))
      (then (unreachable)))
    (i64.const 0x0001ffbc00000084)) ;; 132 bytes at 131004
)
