;; An effect that is 1 byte long.
(func $attack (param $req i32) (param $len i32) (result i64)
  (memory.fill (i32.const 131072) (i32.const 0) (i32.const 64))
  (i64.store offset=0 (i32.const 131072) (i64.const 0x10040)) ;; reply
  (i64.store offset=8 (i32.const 131072) (i64.const 0x100000000)) ;; effect_size 1
  (i64.store offset=16 (i32.const 131072) (i64.const 0x0000000100000040)) ;; 1 effect at 64
  (i64.const 0x0002000000000070))
