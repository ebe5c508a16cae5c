;; A response whose address and length make more than 4 GiB, and modulo that 16.
(func $attack (param $req i32) (param $len i32) (result i64)
  (i64.const 0xffffffff00000011))
