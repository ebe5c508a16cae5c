;; A reply whose payload has an offset and a length that make 64 modulo 4 GiB.
(func $attack (param $req i32) (param $len i32) (result i64)
  (memory.fill (i32.const 131072) (i32.const 0) (i32.const 64))
  (i64.store offset=0 (i32.const 131072) (i64.const 0x10040)) ;; reply
  (i64.store offset=24 (i32.const 131072) (i64.const 0x00000080ffffffc0)) ;; payload: 128 bytes at -64
  (i64.const 0x0002000000000070))
