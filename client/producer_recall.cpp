// producer::engine: taking back a delayed message (protocol reference 7.6).
#include "client/producer_engine.hpp"

#include <algorithm>
#include <future>

namespace holdfast::client {

result<std::string> producer::engine::recall(const std::string& topic, const std::string& handle) {
    if (!running_)
        return error{errc::unavailable, "the producer is not running: call start() first"};
    const auto route = wait_for_route(topic);
    if (!route)
        return route.failure();
    // Which broker has the message is the handle's secret: they are asked in turn.
    std::vector<std::shared_ptr<connection>> asked;
    result<std::string> last = error{errc::not_found, "no broker has the topic " + topic};
    for (const placed_queue& each : (*route)->writable) {
        if (std::find(asked.begin(), asked.end(), each.broker) != asked.end())
            continue;
        asked.push_back(each.broker);
        const auto answered = std::make_shared<std::promise<result<std::string>>>();
        ask(*each.broker,
            protocol::recall_message_request{.topic = topic,
                                             .recall_handle = handle,
                                             .producer_group = options_.group,
                                             .broker_name = each.id.broker_name},
            {}, options_.client.request_timeout, [answered](const call_outcome& outcome) {
                const auto header = header_of<protocol::recall_message_response>(outcome);
                answered->set_value(header ? result<std::string>{std::string{header->message_id}}
                                           : result<std::string>{header.failure()});
            });
        last = answered->get_future().get();
        if (last)
            return last;
    }
    return last;
}

} // namespace holdfast::client
