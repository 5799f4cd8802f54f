// Transactions (protocol reference 3.2, 4.1): END_TRANSACTION from producers, CHECK_TRANSACTION_STATE to
// them.
#pragma once

#include "base/ids.hpp"
#include "protocol/header_fields.hpp"

#include <string_view>

namespace holdfast::protocol {

// Code 37, oneway from every client; a verdict of `unknown` gets no answer at all.
struct end_transaction_request {
    static constexpr request_code code = request_code::end_transaction;
    std::string_view producer_group{};
    queue_offset state_table_offset{}; // the half message's queue offset, as answered to its send
    log_position commit_log_offset{};  // the half message's place in the log, out of its message id
    transaction_end verdict = transaction_end::unknown;
    bool from_check = false;
    std::string_view message_id{}; // the UNIQ_KEY
    std::string_view transaction_id{};
    std::string_view topic{}; // 5.x
    std::string_view broker_name{};

    template <class Self, class Fields>
    static void fields(Self& self, Fields& at) {
        at.required("producerGroup", self.producer_group);
        at.required("tranStateTableOffset", self.state_table_offset);
        at.required("commitLogOffset", self.commit_log_offset);
        at.required("commitOrRollback", self.verdict);
        at.optional("fromTransactionCheck", self.from_check);
        at.optional("msgId", self.message_id);
        at.optional("transactionId", self.transaction_id);
        at.optional("topic", self.topic);
        at.optional("bname", self.broker_name);
    }
};

// Code 39, oneway from the broker. The body is the half message as a stored record with topic and queue
// restored.
struct check_transaction_state_request {
    static constexpr request_code code = request_code::check_transaction_state;
    queue_offset state_table_offset{};
    log_position commit_log_offset{};
    std::string_view message_id{};     // the UNIQ_KEY
    std::string_view transaction_id{}; // the same
    std::string_view offset_message_id{};
    std::string_view topic{}; // 5.x

    template <class Self, class Fields>
    static void fields(Self& self, Fields& at) {
        at.required("tranStateTableOffset", self.state_table_offset);
        at.required("commitLogOffset", self.commit_log_offset);
        at.optional("msgId", self.message_id);
        at.optional("transactionId", self.transaction_id);
        at.optional("offsetMsgId", self.offset_message_id);
        at.optional("topic", self.topic);
    }
};

} // namespace holdfast::protocol
