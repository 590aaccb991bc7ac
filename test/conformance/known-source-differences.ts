/** Differences that the mock of AWS makes, by what the comparison says of them. */
export const KNOWN_SOURCE_DIFFERENCES: readonly { readonly expression: RegExp; readonly reason: string }[] = [
  { expression: /\.SizeBytes: \d+, not \d+$/, reason: 'the mock measures items in another way' },
  { expression: /\.SignatureVersion: "2", not "1"$/, reason: 'the mock signs as topics can be told to' },
]
