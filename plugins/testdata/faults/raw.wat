;; A guest for fuzzing: handle_in takes the first eight bytes of its payload as what it returns,
;; after copying the rest of the payload to 131072. So the payload of a request decides over every
;; bit that the host gets to see.
(module
  (memory (export "memory") 4)
  (data (i32.const 16) "\40\00\01")
  (func (export "aviary_abi_v1") (result i64) (i64.const 0))
  (func (export "aviary_alloc") (param $size i32) (result i32) (i32.const 65536))
  (func (export "join") (param $req i32) (param $len i32) (result i64)
    (i64.const 0x0000001000000040)) ;; 64 bytes at 16
  (func (export "handle_in") (param $req i32) (param $len i32) (result i64)
    (local $payload i32)
    (local.set $payload (i32.add (local.get $req) (i32.load offset=80 (local.get $req))))
    (memory.copy
      (i32.const 131072)
      (i32.add (local.get $payload) (i32.const 8))
      (i32.sub (i32.load offset=84 (local.get $req)) (i32.const 8)))
    (i64.load (local.get $payload))))
