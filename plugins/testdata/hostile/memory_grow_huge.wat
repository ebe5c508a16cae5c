;; Asks for 4 GiB less a page, which it never gets, and then for as much as it may have.
(func $attack (param $req i32) (param $len i32) (result i64)
  (if (i32.ne (memory.grow (i32.const 65535)) (i32.const -1)) (then (unreachable)))
  (if (i32.ne (memory.grow (i32.const -1)) (i32.const -1)) (then (unreachable)))
  (drop (memory.grow (i32.const 253)))
  (loop $again
    (drop (memory.grow (i32.const 65535)))
    (br $again))
  (unreachable))
