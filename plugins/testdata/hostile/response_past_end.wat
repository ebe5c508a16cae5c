;; A response that begins within the memory and ends past it.
(func $attack (param $req i32) (param $len i32) (result i64)
  (i64.const 0x0002ffc000000041))
