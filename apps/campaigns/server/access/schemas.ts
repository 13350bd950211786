import Type from 'typebox'
import { ROLES } from '../database/schema.ts'
import { EMAIL_EXPECTED } from '../phone.ts'
import { PERMISSIONS } from './permissions.ts'

/** The parts of requests and answers that the routes of this room share. */

const NullableTime = Type.Union([Type.Integer(), Type.Null()])

export const Id = Type.String({ minLength: 1, maxLength: 36 })
export const Path = Type.Object({ id: Id }, { additionalProperties: false })
export const Email = Type.String({ minLength: 3, maxLength: 254, expected: EMAIL_EXPECTED })
export const PersonName = Type.String({
  minLength: 1,
  maxLength: 120,
  pattern: '^(?=.*\\S)[^\\u0000-\\u001f\\u007f]+$',
  expected: 'a name of 1 to 120 characters on one line',
})
export const Locale = Type.Enum(['en', 'fr'])
export const RoleName = Type.Enum([...ROLES])
export const Status = Type.Enum(['active', 'disabled'])
export const PermissionName = Type.Enum([...PERMISSIONS])
/** How long and how good it is, `password-rules.ts` says: what a schema refuses is shown to the caller. */
export const Password = Type.String({
  writeOnly: true,
  maxLength: 4096,
  expected: 'a password of 12 to 200 characters',
})

export const Limit = Type.Optional(Type.Integer({ minimum: 1, maximum: 200 }))
export const Cursor = Type.Optional(Type.String({ maxLength: 2000 }))
export const NextCursor = Type.Union([Type.String(), Type.Null()])

export const UserSchema = Type.Object(
  {
    id: Id,
    email: Type.String(),
    name: Type.String(),
    role: RoleName,
    status: Status,
    locale: Type.String(),
    last_login_at: NullableTime,
    created_at: Type.Integer(),
    updated_at: Type.Integer(),
  },
  { additionalProperties: false },
)

export const ApiKeySchema = Type.Object(
  {
    id: Id,
    name: Type.String(),
    /** How the key begins: what people recognise it by. */
    prefix: Type.String(),
    scopes: Type.Array(Type.String()),
    owner: Type.Object({ id: Id, name: Type.String(), email: Type.String() }, { additionalProperties: false }),
    expires_at: NullableTime,
    last_used_at: NullableTime,
    revoked_at: NullableTime,
    created_at: Type.Integer(),
  },
  { additionalProperties: false },
)

/** Who is logged in, and what they may do. `csrf_token` is null for API keys, which need none. */
export const MeSchema = Type.Object(
  {
    user: Type.Object(
      { id: Id, email: Type.String(), name: Type.String(), role: RoleName, locale: Type.String() },
      { additionalProperties: false },
    ),
    permissions: Type.Array(PermissionName),
    csrf_token: Type.Union([Type.String(), Type.Null()]),
  },
  { additionalProperties: false },
)
