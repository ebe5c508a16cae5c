;; A state of almost 16 MiB, which is there.
(func $attack (param $req i32) (param $len i32) (result i64)
  (drop (memory.grow (i32.const 253))) ;; 16 MiB in all
  (memory.fill (i32.const 131072) (i32.const 0) (i32.const 64))
  (i64.store offset=0 (i32.const 131072) (i64.const 0x2010040)) ;; reply, state given
  (i64.store offset=40 (i32.const 131072) (i64.const 0x00fdffc000000040)) ;; state: all the rest
  (memory.fill (i32.const 131136) (i32.const 0x73) (i32.const 16646080))
  (i64.const 0x0002000000fe0000))
