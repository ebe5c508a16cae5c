;; handle_in asks for an effect of kind 999.
(module
  (memory (export "memory") 3)
  ;; An accepted join: header_size 64, result 1 (reply), all else 0.
  (data (i32.const 16) "\40\00\01")
  ;; Response at 1024, 64 + 48 bytes.
  (data (i32.const 1024) "\40\00\00\00") ;; header_size 64, no_reply
  (data (i32.const 1036) "\30\00")         ;; effect_size 48
  (data (i32.const 1040) "\40\00\00\00\01\00\00\00") ;; one effect at 64
  (data (i32.const 1088) "\e7\03")         ;; kind 999
  (func (export "aviary_abi_v1") (result i64) (i64.const 0))
  (func (export "aviary_alloc") (param $size i32) (result i32) (i32.const 65536))
  (func (export "join") (param $req i32) (param $len i32) (result i64)
    (i64.const 0x0000001000000040)) ;; 64 bytes at 16
  (func $handle_in (export "handle_in") (param $req i32) (param $len i32) (result i64)
    (i64.const 0x0000040000000070)))
