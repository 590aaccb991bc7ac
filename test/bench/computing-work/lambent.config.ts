/** What the computing section of the bench deploys: it measures itself from inside, as Ray's driver does. */
export default { functions: { bench: { entry: './work.ts', timeout: 'none' } } }
