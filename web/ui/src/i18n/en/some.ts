/* One thing or many of them. */
export const some = (n: string, one: string, many: string): string => `${n} ${n === '1' ? one : many}`
