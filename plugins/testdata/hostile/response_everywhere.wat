;; A response of all that 32 bits address.
(func $attack (param $req i32) (param $len i32) (result i64)
  (i64.const 0x00000000ffffffff))
