/** What adapters hang on functions, by names of their own. */
export const attachmentsSchema = `
CREATE TABLE function_attachments (
  function_id TEXT NOT NULL,
  name TEXT NOT NULL,
  value_json TEXT NOT NULL,
  PRIMARY KEY (function_id, name)
) STRICT, WITHOUT ROWID;
`

/** Named writes of this family: name -> SQL. */
export const attachmentStatements = {
  putAttachment:
    'INSERT OR REPLACE INTO function_attachments (function_id, name, value_json) VALUES (?, ?, ?)',
  deleteAttachment: 'DELETE FROM function_attachments WHERE function_id = ? AND name = ?',
  deleteAttachments: 'DELETE FROM function_attachments WHERE function_id = ?',
} as const satisfies Record<string, string>

/** A row of `function_attachments`. */
export interface AttachmentRow {
  function_id: string
  name: string
  value_json: string
}
