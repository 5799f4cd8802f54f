// END_TRANSACTION as the transaction producer writes it. Private to transaction_*.cpp.
#pragma once

#include "base/result.hpp"
#include "client/connection.hpp"
#include "client/half_message.hpp"
#include "protocol/transaction_requests.hpp"

namespace holdfast::client {

[[nodiscard]] protocol::transaction_end to_wire(transaction_decision decision);
// Oneway: ok says that it is on its way, not that it arrives.
result<void> send_decision(connection& broker, const protocol::end_transaction_request& request);

} // namespace holdfast::client
