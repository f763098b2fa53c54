/**
 * malloc-env.ts: what the environment of a node should say to glibc's malloc, which listens at the start of a
 * process only. Other C libraries take no notice.
 *
 * Keys lie in arrays beside the heap, some hundred kilobytes each, that grow now and then.
 *
 * - From 128 KiB on an array is mapped by itself, and given back to the system once it is outgrown. Left alone glibc
 *   raises that bound as it goes, and keeps freed arrays in a heap that they fragment.
 * - What is smaller, the indexes of tables above all, lies in huge pages where the system has them for who asks
 *   (`transparent_hugepage` is `madvise` or `always`), so that a lookup needs fewer walks through page tables.
 *   Redis warns of huge pages because it forks; a node never does.
 *
 * By both together, against a bound of 64 KiB alone, SET, INCR and SADD at pipeline 16 took 10 to 19 % more.
 *
 * Source: mallopt(3), and "Tunables" in the manual of glibc (2.35 for huge pages).
 */
export const MALLOC_ENV: Readonly<Record<string, string>> = {
  MALLOC_MMAP_THRESHOLD_: '131072',
  GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1',
}

/** The same as words for people. */
export const MALLOC_WORDS = Object.entries(MALLOC_ENV)
  .map(([name, value]) => `${name}=${value}`)
  .join(' ')
