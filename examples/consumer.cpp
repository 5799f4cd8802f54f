// Prints the messages of a topic until Enter is pressed.
//
//     build/examples/consumer [NAME-SERVER]        (default 127.0.0.1:9876)
#include "client/push_consumer.hpp"

#include <iostream>

using namespace holdfast::client;

int main(int argc, char** argv) {
    push_consumer_options options;
    options.client.name_servers = argc > 1 ? argv[1] : "127.0.0.1:9876";
    options.group = "example_consumer";
    options.from = consume_from::first;
    options.listener_threads = 1;
    options.on_trouble = [](const holdfast::error& what) { std::cerr << what.message << '\n'; };

    push_consumer consumer{options};
    if (const auto subscribed = consumer.subscribe("example", "order || bulk"); !subscribed) {
        std::cerr << subscribed.failure().message << '\n';
        return 1;
    }
    const auto started = consumer.start([](delivery received) {
        std::cout << received.message().tag() << ": " << received.body() << std::endl;
        if (received.body() == "order 3" && received.reconsume_times() == 0)
            return; // not acknowledged: comes again ten seconds later
        received.ack();
    });
    if (!started) {
        std::cerr << started.failure().message << '\n';
        return 1;
    }
    std::cin.get();
    consumer.shutdown(); // commits the offsets and leaves the group
}
