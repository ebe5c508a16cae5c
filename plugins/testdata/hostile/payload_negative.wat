;; A reply with a payload of -1 bytes.
(func $attack (param $req i32) (param $len i32) (result i64)
  (memory.fill (i32.const 131072) (i32.const 0) (i32.const 64))
  (i64.store offset=0 (i32.const 131072) (i64.const 0x10040)) ;; reply
  (i64.store offset=24 (i32.const 131072) (i64.const 0xffffffff00000040)) ;; payload: -1 bytes at 64
  (i64.const 0x0002000000000070))
