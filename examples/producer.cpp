// Sends ten messages, waiting for each, then a thousand at once.
//
//     build/examples/producer [NAME-SERVER]        (default 127.0.0.1:9876)
#include "client/producer.hpp"

#include <atomic>
#include <iostream>

using namespace holdfast::client;

int main(int argc, char** argv) {
    producer_options options;
    options.client.name_servers = argc > 1 ? argv[1] : "127.0.0.1:9876";
    options.group = "example_producer";

    producer orders{options};
    if (const auto started = orders.start(); !started) {
        std::cerr << started.failure().message << '\n';
        return 1;
    }

    for (int number = 0; number < 10; ++number) {
        const auto sent = orders.send({.topic = "example",
                                       .body = "order " + std::to_string(number),
                                       .tag = "order",
                                       .keys = "order-" + std::to_string(number)});
        if (!sent) {
            // may_be_stored(): sending it again might make a second copy, with another id.
            std::cerr << sent.failure().message << '\n';
            return 1;
        }
        // With a receipt in hand, the message is on disk.
        std::cout << sent.receipt().message_id << " in queue " << sent.receipt().queue << " at "
                  << sent.receipt().offset << '\n';
    }

    std::atomic<int> stored{0};
    for (int number = 0; number < 1'000; ++number) {
        // Called on the producer's own thread when the answer is there.
        orders.send_async({.topic = "example", .body = "bulk " + std::to_string(number), .tag = "bulk"},
                          [&stored](const send_result& sent) {
                              if (sent)
                                  ++stored;
                              else
                                  std::cerr << sent.failure().message << '\n';
                          });
    }
    orders.shutdown(); // waits for the answers
    std::cout << stored << " of 1000 stored\n";
    return stored == 1'000 ? 0 : 1;
}
