/** The package has no types of its own. */
declare module 'mnist' {
  interface Example {
    /** 784 shades, 0 to 1. */
    readonly input: readonly number[]
    /** 1 at the digit, 0 elsewhere. */
    readonly output: readonly number[]
  }
  const mnist: {
    set(training: number, test: number): { training: readonly Example[]; test: readonly Example[] }
  }
  export default mnist
}
