;; Writes over all of its memory, its request included, and then answers well.
(func $attack (param $req i32) (param $len i32) (result i64)
  (memory.fill (i32.const 0) (i32.const 0xff) (i32.const 196608))
  (memory.fill (i32.const 131072) (i32.const 0) (i32.const 64))
  (i32.store (i32.const 131072) (i32.const 0x10040)) ;; header_size 64, reply
  (i64.const 0x0002000000000040)) ;; 64 bytes at 131072
