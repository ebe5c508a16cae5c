;; Fills all of its memory, for ever: gigabytes in a second.
(func $attack (param $req i32) (param $len i32) (result i64)
  (drop (memory.grow (i32.const 253))) ;; 16 MiB in all

  (loop $again
    (memory.fill (i32.const 131072) (i32.const 1) (i32.const 16646144))
    (br $again))
  (unreachable))
