#include "actors/repeated_decision.hpp"

#include "broker/command.hpp"
#include "broker/delivery_records.hpp"
#include "protocol/names.hpp"
#include "protocol/requests.hpp"

#include <string>

namespace holdfast::actors {
namespace {

using protocol::end_transaction_request;
using protocol::response_code;
using protocol::transaction_end;
using storage::record_fate;

// The group of the half at this position; nothing when there is no half.
std::optional<std::string> group_of_half(const session_environment& environment, log_position position) {
    const auto entry = environment.reader->entry_containing(position);
    if (!entry.ok())
        return std::nullopt;
    const auto bytes = entry->entry.view();
    const auto offset = position - entry->position;
    if (offset < storage::entry_header_size + broker::command_header_size || offset >= bytes.size() ||
        !broker::is_half(broker::kind_at(bytes, offset)))
        return std::nullopt;
    const std::size_t size = load_little<std::uint32_t>(bytes.data() + offset - broker::command_header_size);
    if (offset + size > bytes.size())
        return std::nullopt;
    const auto half = broker::decode_half(bytes.subspan(offset, size));
    return half.ok() ? std::optional{std::string{half->group}} : std::nullopt;
}

// Empty: it was decided as this request says.
std::string contradiction(const end_transaction_request& request, const storage::settled_record& settled) {
    switch (settled.fate) {
    case record_fate::queued:
        return request.verdict == transaction_end::commit ? "" : "was committed before and stays committed";
    case record_fate::rolled_back:
        return request.verdict == transaction_end::rollback ? ""
                                                            : "was rolled back before and stays rolled back";
    case record_fate::given_up:
        return "was given up, because nobody decided it after as many checks as transactionCheckMax allows; "
               "it "
               "is in the topic " +
               std::string{protocol::check_exhausted_topic};
    case record_fate::topic_gone:
        return "was committed before, but its topic had been deleted: nobody will get it";
    case record_fate::cancelled:
        break;
    }
    return "is not a transaction's";
}

} // namespace

void repeated_decision(const session_environment& environment, const protocol::remoting_command& command,
                       byte_buffer& out) {
    const auto to = protocol::answer_to::of(command);
    const auto request = protocol::decode_header<end_transaction_request>(command);
    if (!request.ok())
        return protocol::append_failure(out, to, response_code::system_error, request.failure().message);
    const auto refuse = [&](std::string_view why) {
        protocol::append_failure(out, to, response_code::system_error,
                                 "the half message at commitLogOffset " +
                                     std::to_string(request->commit_log_offset.value()) + " " +
                                     std::string{why});
    };
    constexpr auto not_there = "is not there: it was never sent to this broker, or retention has removed it";
    const auto group = group_of_half(environment, request->commit_log_offset);
    if (!group)
        return refuse(not_there);
    if (*group != request->producer_group)
        return refuse("was sent by another producer group");
    if (request->state_table_offset.value() != static_cast<std::int64_t>(request->commit_log_offset.value()))
        return refuse("does not have the tranStateTableOffset " +
                      std::to_string(request->state_table_offset.value()) +
                      ": the two numbers belong to different transactions");
    const auto settled = environment.view->deliveries().find(request->commit_log_offset);
    if (!settled.ok())
        return protocol::append_failure(out, to, response_code::system_error, settled.failure().message);
    if (!*settled)
        return refuse(not_there);
    if (const auto why = contradiction(*request, **settled); !why.empty())
        return refuse(why);
    protocol::append_success(out, to);
}

} // namespace holdfast::actors
