;; A state of 1 GiB, which is said to be there.
(func $attack (param $req i32) (param $len i32) (result i64)
  (memory.fill (i32.const 131072) (i32.const 0) (i32.const 64))
  (i64.store offset=0 (i32.const 131072) (i64.const 0x2010040)) ;; reply, state given
  (i64.store offset=40 (i32.const 131072) (i64.const 0x4000000000000040)) ;; state: 1 GiB at 64
  (i64.const 0x0002000000000070))
