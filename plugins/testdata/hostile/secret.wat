;; Keeps the payload of each callback in its memory, in a page that it grows and in globals, and answers
;; with what was there before. Not an attack that fails: the answer must be zeros, as long as the payload.
(global $kept (mut i64) (i64.const 0))
(func $attack (param $req i32) (param $len i32) (result i64)
  (local $payload i32) (local $size i32) (local $at i32) (local $old i64)
  (local.set $payload (i32.add (local.get $req) (i32.load offset=80 (local.get $req))))
  (local.set $size (i32.load offset=84 (local.get $req)))
  (if (i32.eq (memory.size) (i32.const 3))
    (then (drop (memory.grow (i32.const 1)))))
  ;; Answer at 131072: 8 bytes of the global, 1024 of this page, 1024 of the one that was grown, and
  ;; how many pages there are.
  (memory.fill (i32.const 131072) (i32.const 0) (i32.const 64))
  (i32.store (i32.const 131072) (i32.const 0x1010040)) ;; header_size 64, reply, raw bytes
  (i64.store offset=24 (i32.const 131072) (i64.const 0x0000080c00000040)) ;; payload: 2060 bytes at 64
  (i64.store (i32.const 131136) (global.get $kept))
  (memory.copy (i32.const 131144) (i32.const 140000) (i32.const 1024))
  (memory.copy (i32.const 132168) (i32.const 200000) (i32.const 1024))
  (i32.store (i32.const 133192) (memory.size))
  (if (i32.gt_u (local.get $size) (i32.const 1024)) (then (local.set $size (i32.const 1024))))
  (memory.copy (i32.const 140000) (local.get $payload) (local.get $size))
  (memory.copy (i32.const 200000) (local.get $payload) (local.get $size))
  (global.set $kept (i64.load (local.get $payload)))
  (i64.const 0x000200000000084c)) ;; 2124 bytes at 131072
