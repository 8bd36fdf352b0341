// How one gets into a session. It is {id, token, mode, isSignedIn}: the token is its only key, isSignedIn says whether the shop's
// page vouched for the customer.

export async function startSession(api, customerToken, signal) {
  try {
    return opened(await api.start(customerToken, signal), Boolean(customerToken));
  } catch (problem) {
    if (problem.code !== "bad_token") throw problem;
    return opened(await api.start("", signal), false); // it has expired: the bot asks who the customer is
  }
}

const opened = ({ session_id: id, session_token: token }, isSignedIn) => ({ id, token, mode: "bot", isSignedIn });

// The session that was kept, if it is the customer's who is signed in now; else null. After signing out it is nobody's.
export async function regainSession(api, session, customerToken, signal) {
  if (!customerToken) return session.isSignedIn ? null : session;
  try {
    await api.identify(session, customerToken, signal);
    return { ...session, isSignedIn: true };
  } catch (problem) {
    if (problem.kind === "refused" || problem.kind === "ended") return null;
    throw problem;
  }
}
