/**
 * The number that the simulator plays unless said otherwise: what is sent through it can only ever go to people who do
 * not exist. The secrets are no secrets; whoever starts it beside an application gives it others.
 */
export const ACCOUNT = {
  phoneNumberId: '100000000000001',
  wabaId: '200000000000001',
  displayPhone: '33612345678',
  token: 'simulator-token',
  appSecret: 'simulator-app-secret',
  verifyToken: 'simulator-verify-token',
  graphVersion: 'v23.0',
}
