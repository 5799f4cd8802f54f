#include "client/admin_engine.hpp"
#include "protocol/query_requests.hpp"

namespace holdfast::client {

result<std::string> admin::explain(std::string_view key, std::string_view topic) {
    auto leaders = engine_->leaders();
    if (!leaders)
        return leaders.failure();
    constexpr std::string_view unknown = "{\"matches\":0}";
    result<std::string> answer{std::string{unknown}};
    for (leader& to : *leaders) {
        answer =
            engine_->ask_broker<std::string>(to, protocol::explain_request{.key = key, .topic = topic},
                                             [](const call_outcome& outcome) -> result<std::string> {
                                                 if (!outcome.ok())
                                                     return to_error(outcome);
                                                 return std::string{as_text(outcome.reply->command().body())};
                                             });
        if (!answer || *answer != unknown)
            break;
    }
    return answer;
}

} // namespace holdfast::client
