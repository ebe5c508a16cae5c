;; Two effects that overlap: where the second is, the first has its payload. Only that an effect of
;; kind 0 is none ends it.
(func $attack (param $req i32) (param $len i32) (result i64)
  (memory.fill (i32.const 131072) (i32.const 0) (i32.const 64))
  (i64.store offset=0 (i32.const 131072) (i64.const 0x10040)) ;; reply
  (i64.store offset=8 (i32.const 131072) (i64.const 0x3000000000)) ;; effect_size 48
  (i64.store offset=16 (i32.const 131072) (i64.const 0x0000000200000040)) ;; 2 effects at 64
  (i64.const 0x00020000000000a0))
