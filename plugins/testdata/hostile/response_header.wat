;; A response whose header would be longer than it is.
(func $attack (param $req i32) (param $len i32) (result i64)
  (memory.fill (i32.const 131072) (i32.const 0) (i32.const 64))
  (i64.store offset=0 (i32.const 131072) (i64.const 0x1ffff)) ;; header_size 65535, reply
  (i64.const 0x0002000000000070))
