;; Replies with JSON that is 30 000 arrays deep.
(func $attack (param $req i32) (param $len i32) (result i64)
  (memory.fill (i32.const 131072) (i32.const 0) (i32.const 64))
  (i64.store offset=0 (i32.const 131072) (i64.const 0x10040)) ;; reply
  (i64.store offset=24 (i32.const 131072) (i64.const 0x0000ea6000000040)) ;; payload: 60 000 bytes at 64

  (memory.fill (i32.const 131136) (i32.const 0x5b) (i32.const 30000))
  (memory.fill (i32.const 161136) (i32.const 0x5d) (i32.const 30000))
  (i64.const 0x000200000000eaa0)) ;; 60 064 bytes at 131072
